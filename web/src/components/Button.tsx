import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { Link, type To } from "react-router";

export type ButtonKind = "primary" | "normal" | "quiet" | "danger";

const KINDS: Record<ButtonKind, string> = {
    primary: "bg-accent text-accent-ink font-semibold hover:brightness-110",
    normal: "bg-raised text-ink border border-line hover:border-line-strong",
    quiet: "text-ink-soft hover:text-ink hover:bg-raised",
    danger: "border border-bad/60 text-bad hover:bg-bad/12",
};
const SHAPE =
    "inline-flex items-center justify-center gap-1.5 rounded-md min-h-9 px-3 whitespace-nowrap transition-colors " +
    "disabled:opacity-50 aria-disabled:opacity-50 aria-disabled:cursor-not-allowed [&>svg]:size-4 [&>svg]:shrink-0";

type ButtonProps = Omit<ButtonHTMLAttributes<HTMLButtonElement>, "disabled"> & {
    kind?: ButtonKind;
    busy?: boolean;
    /** Why the button does nothing just now: it is shown on hover and read aloud. Absent: it works. */
    disabledWhy?: string | undefined;
    ref?: Ref<HTMLButtonElement>;
};

/** A button. One that is switched off stays reachable by keyboard, so that its reason can be read. */
export function Button({
    kind = "normal",
    busy,
    disabledWhy,
    className,
    onClick,
    title,
    ...rest
}: ButtonProps) {
    const off = busy === true || disabledWhy !== undefined;
    return (
        <button
            type="button"
            {...rest}
            title={disabledWhy ?? title}
            aria-disabled={off || undefined}
            aria-busy={busy || undefined}
            className={`${SHAPE} ${KINDS[kind]} ${className ?? ""}`}
            onClick={(event) => {
                if (off) event.preventDefault();
                else onClick?.(event);
            }}
        />
    );
}

type LinkButtonProps = { to: To; kind?: ButtonKind; children: ReactNode; className?: string };

/** A link that looks like a button. */
export function LinkButton({ to, kind = "normal", children, className }: LinkButtonProps) {
    return (
        <Link to={to} className={`${SHAPE} ${KINDS[kind]} ${className ?? ""}`}>
            {children}
        </Link>
    );
}

type IconButtonProps = ButtonProps & { label: string };

/** A button with a picture only; its label is read aloud and shown on hover. */
export function IconButton({ label, className, kind = "quiet", ...rest }: IconButtonProps) {
    return (
        <Button
            {...rest}
            kind={kind}
            aria-label={label}
            title={label}
            className={`!px-2 ${className ?? ""}`}
        />
    );
}

import { Plus, Trash2 } from "lucide-react";
import { useFieldArray, useFormContext, useFormState, type FieldArrayPath } from "react-hook-form";

import { Button, IconButton } from "@/components/Button";
import { SelectField, TextField } from "@/components/fields";

import type { Values } from "../api/values";

type Named = { name: FieldArrayPath<Values>; legend: string; hint?: string; add: string };
type Errors = Record<string, { message?: string } | undefined>;

/** The messages of one row's fields. */
function useRowErrors(name: FieldArrayPath<Values>) {
    const { errors } = useFormState<Values>({ name });
    return (row: number): Errors => (errors[name] as Errors[] | undefined)?.[row] ?? {};
}

function Frame({
    legend,
    hint,
    children,
    add,
    onAdd,
}: Named & { children: React.ReactNode; onAdd: () => void }) {
    return (
        <fieldset className="flex min-w-0 flex-col gap-2">
            <legend className="mb-1 text-[0.87rem] font-medium text-ink-soft">{legend}</legend>
            {children}
            {hint && <p className="text-[0.82rem] text-ink-faint">{hint}</p>}
            <div>
                <Button kind="quiet" onClick={onAdd}>
                    <Plus aria-hidden />
                    {add}
                </Button>
            </div>
        </fieldset>
    );
}

function Remove({ what, onClick }: { what: string; onClick: () => void }) {
    return (
        <IconButton label={`Remove ${what}`} onClick={onClick}>
            <Trash2 />
        </IconButton>
    );
}

/** A list of texts, such as arguments. */
export function ListRows(
    props: Named & {
        name: "command" | "args" | "egress" | "imagePullSecrets";
        item: string;
        placeholder?: string;
    },
) {
    const { name, item, placeholder } = props;
    const { register } = useFormContext<Values>();
    const rows = useFieldArray<Values, typeof name>({ name });
    const errors = useRowErrors(name);
    return (
        <Frame {...props} onAdd={() => rows.append({ value: "" })}>
            {rows.fields.map((row, at) => (
                <div key={row.id} className="grid grid-cols-[1fr_auto] items-start gap-2">
                    <TextField
                        label={`${item} ${at + 1}`}
                        labelHidden
                        mono
                        spellCheck={false}
                        placeholder={placeholder}
                        error={errors(at)["value"]?.message}
                        {...register(`${name}.${at}.value`)}
                    />
                    <Remove what={`${item} ${at + 1}`} onClick={() => rows.remove(at)} />
                </div>
            ))}
        </Frame>
    );
}

/** Names and values, such as environment variables. */
export function PairRows(
    props: Named & { name: "env" | "nodeSelector" | "labels" | "annotations"; item: string },
) {
    const { name, item } = props;
    const { register } = useFormContext<Values>();
    const rows = useFieldArray<Values, typeof name>({ name });
    const errors = useRowErrors(name);
    return (
        <Frame {...props} onAdd={() => rows.append({ key: "", value: "" })}>
            {rows.fields.map((row, at) => (
                <div key={row.id} className="grid grid-cols-[2fr_3fr_auto] items-start gap-2">
                    <TextField
                        label={`${item} ${at + 1}: name`}
                        labelHidden
                        mono
                        spellCheck={false}
                        placeholder="NAME"
                        error={errors(at)["key"]?.message}
                        {...register(`${name}.${at}.key`)}
                    />
                    <TextField
                        label={`${item} ${at + 1}: value`}
                        labelHidden
                        mono
                        spellCheck={false}
                        placeholder="value"
                        {...register(`${name}.${at}.value`)}
                    />
                    <Remove what={`${item} ${at + 1}`} onClick={() => rows.remove(at)} />
                </div>
            ))}
        </Frame>
    );
}

const KINDS = [
    { value: "secretRef", label: "Secret" },
    { value: "configMapRef", label: "Config" },
];

/** Secrets and configs by name: their values are never read. */
export function EnvFromRows({
    secrets,
    configs,
}: {
    secrets: readonly string[];
    configs: readonly string[];
}) {
    const { register } = useFormContext<Values>();
    const rows = useFieldArray<Values, "envFrom">({ name: "envFrom" });
    const errors = useRowErrors("envFrom");
    return (
        <Frame
            name="envFrom"
            legend="Variables from secrets and configs"
            hint="All keys become variables. Values of secrets are never shown here."
            add="Add a secret or config"
            onAdd={() => rows.append({ kind: "secretRef", name: "" })}
        >
            <Names id="known-secrets" names={secrets} />
            <Names id="known-configs" names={configs} />
            {rows.fields.map((row, at) => (
                <div key={row.id} className="grid grid-cols-[2fr_3fr_auto] items-start gap-2">
                    <SelectField
                        label={`Source ${at + 1}: kind`}
                        labelHidden
                        options={KINDS}
                        {...register(`envFrom.${at}.kind`)}
                    />
                    <TextField
                        label={`Source ${at + 1}: name`}
                        labelHidden
                        mono
                        spellCheck={false}
                        placeholder="name"
                        list={row.kind === "secretRef" ? "known-secrets" : "known-configs"}
                        error={errors(at)["name"]?.message}
                        {...register(`envFrom.${at}.name`)}
                    />
                    <Remove what={`source ${at + 1}`} onClick={() => rows.remove(at)} />
                </div>
            ))}
        </Frame>
    );
}

function Names({ id, names }: { id: string; names: readonly string[] }) {
    return (
        <datalist id={id}>
            {names.map((name) => (
                <option key={name} value={name} />
            ))}
        </datalist>
    );
}

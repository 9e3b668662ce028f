import { Plus, Trash2 } from "lucide-react";

import { Button, IconButton } from "@/components/Button";
import { TextField } from "@/components/fields";

export type Header = { name: string; value: string };

type Props = { headers: readonly Header[]; onChange: (headers: readonly Header[]) => void };

export function HeaderRows({ headers, onChange }: Props) {
    const set = (at: number, change: Partial<Header>) =>
        onChange(headers.map((each, index) => (index === at ? { ...each, ...change } : each)));
    return (
        <fieldset className="flex flex-col gap-2">
            <legend className="mb-1 text-[0.87rem] font-medium text-ink-soft">Headers</legend>
            {headers.map((header, at) => (
                <div key={at} className="grid grid-cols-[2fr_3fr_auto] gap-2">
                    <TextField
                        label={`Header ${at + 1}: name`}
                        labelHidden
                        mono
                        placeholder="Idempotency-Key"
                        value={header.name}
                        onChange={(event) => set(at, { name: event.target.value })}
                    />
                    <TextField
                        label={`Header ${at + 1}: value`}
                        labelHidden
                        mono
                        placeholder="value"
                        value={header.value}
                        onChange={(event) => set(at, { value: event.target.value })}
                    />
                    <IconButton
                        label={`Remove header ${at + 1}`}
                        onClick={() => onChange(headers.filter((_, index) => index !== at))}
                    >
                        <Trash2 />
                    </IconButton>
                </div>
            ))}
            <div>
                <Button kind="quiet" onClick={() => onChange([...headers, { name: "", value: "" }])}>
                    <Plus aria-hidden />
                    Add a header
                </Button>
            </div>
        </fieldset>
    );
}

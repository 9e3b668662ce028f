import { Plus, Trash2 } from "lucide-react";
import { useFieldArray, useFormContext } from "react-hook-form";

import { Button, IconButton } from "@/components/Button";
import { SelectField, TextField } from "@/components/fields";

import type { Values } from "../api/values";

const options = (...words: string[]) => words.map((value) => ({ value, label: value || "any" }));

export function TolerationRows() {
    const { register, formState } = useFormContext<Values>();
    const rows = useFieldArray<Values, "tolerations">({ name: "tolerations" });
    const errors = formState.errors.tolerations;
    return (
        <fieldset className="flex min-w-0 flex-col gap-2">
            <legend className="mb-1 text-[0.87rem] font-medium text-ink-soft">Tolerations</legend>
            {rows.fields.map((row, at) => (
                <div
                    key={row.id}
                    className="grid grid-cols-2 gap-2 rounded-md border border-line p-2 sm:grid-cols-3"
                >
                    <TextField
                        label="Key"
                        mono
                        error={errors?.[at]?.key?.message}
                        {...register(`tolerations.${at}.key`)}
                    />
                    <SelectField
                        label="Operator"
                        options={options("Equal", "Exists")}
                        error={errors?.[at]?.operator?.message}
                        {...register(`tolerations.${at}.operator`)}
                    />
                    <TextField
                        label="Value"
                        mono
                        error={errors?.[at]?.value?.message}
                        {...register(`tolerations.${at}.value`)}
                    />
                    <SelectField
                        label="Effect"
                        options={options("", "NoSchedule", "PreferNoSchedule", "NoExecute")}
                        error={errors?.[at]?.effect?.message}
                        {...register(`tolerations.${at}.effect`)}
                    />
                    <TextField
                        label="Seconds"
                        inputMode="numeric"
                        error={errors?.[at]?.tolerationSeconds?.message}
                        {...register(`tolerations.${at}.tolerationSeconds`)}
                    />
                    <div className="flex items-end justify-end">
                        <IconButton label={`Remove toleration ${at + 1}`} onClick={() => rows.remove(at)}>
                            <Trash2 />
                        </IconButton>
                    </div>
                </div>
            ))}
            <div>
                <Button
                    kind="quiet"
                    onClick={() =>
                        rows.append({
                            key: "",
                            operator: "Exists",
                            value: "",
                            effect: "",
                            tolerationSeconds: "",
                        })
                    }
                >
                    <Plus aria-hidden />
                    Add a toleration
                </Button>
            </div>
        </fieldset>
    );
}

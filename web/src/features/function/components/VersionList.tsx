import { History } from "lucide-react";
import { useState } from "react";

import type { EventFlowFunction } from "@/api/functions";
import type { FunctionVersion } from "@/api/generated/eventflow/v1/function_pb";
import { useAccess } from "@/api/useAccess";
import { Button } from "@/components/Button";
import { DiffView } from "@/components/DiffView";
import { SelectField } from "@/components/fields";
import { Badge } from "@/components/StateBadge";
import { Time } from "@/components/Time";
import { manifestOf } from "@/manifest/manifest";
import { toYaml } from "@/manifest/yaml";

import { RollbackDialog } from "./RollbackDialog";

const textOf = (version: FunctionVersion | undefined) =>
    version?.function ? toYaml(manifestOf(version.function)) : "";

/** Versions with what differs between any two of them, and the way back to each. */
export function VersionList({
    value,
    versions,
}: {
    value: EventFlowFunction;
    versions: readonly FunctionVersion[];
}) {
    const off = useAccess().missing("developer", value.namespace);
    const [target, setTarget] = useState<FunctionVersion | null>(null);
    const [open, setOpen] = useState<number | null>(null);
    return (
        <>
            <ul>
                {versions.map((version, at) => (
                    <li key={version.version} className="border-b border-line px-4 py-2.5 last:border-b-0">
                        <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
                            <span className="w-12 font-semibold">v{version.version}</span>
                            {version.current && <Badge text="Current" tone="good" />}
                            <span className="grow text-ink-soft">
                                <Time value={version.createTime} />
                                {version.createdBy && ` by ${version.createdBy}`}
                            </span>
                            <Button
                                kind="quiet"
                                aria-expanded={open === version.version}
                                onClick={() => setOpen(open === version.version ? null : version.version)}
                            >
                                {open === version.version ? "Hide" : "Compare"}
                            </Button>
                            {!version.current && (
                                <Button disabledWhy={off} onClick={() => setTarget(version)}>
                                    <History aria-hidden />
                                    Roll back
                                </Button>
                            )}
                        </div>
                        {open === version.version && (
                            <Compare
                                version={version}
                                versions={versions}
                                other={versions[at + 1] ?? versions[at - 1]}
                            />
                        )}
                    </li>
                ))}
            </ul>
            {target && (
                <RollbackDialog
                    value={value}
                    target={target}
                    before={textOf(versions.find((each) => each.current))}
                    after={textOf(target)}
                    onClose={() => setTarget(null)}
                />
            )}
        </>
    );
}

type CompareProps = {
    version: FunctionVersion;
    versions: readonly FunctionVersion[];
    other: FunctionVersion | undefined;
};

function Compare({ version, versions, other }: CompareProps) {
    const [chosen, setChosen] = useState(other?.version ?? 0);
    const others = versions.filter((each) => each.version !== version.version);
    const found = others.find((each) => each.version === chosen);
    if (!found) return <p className="mt-3 text-ink-soft">There is no other version to compare with.</p>;
    const [older, newer] = found.version < version.version ? [found, version] : [version, found];
    return (
        <div className="mt-3 flex flex-col gap-2">
            <div className="max-w-48">
                <SelectField
                    label="Compare with"
                    value={String(chosen)}
                    options={others.map((each) => ({
                        value: String(each.version),
                        label: `v${each.version}`,
                    }))}
                    onChange={(event) => setChosen(Number(event.target.value))}
                />
            </div>
            <DiffView
                before={textOf(older)}
                after={textOf(newer)}
                label={`What differs from version ${older.version} to version ${newer.version}`}
            />
        </div>
    );
}

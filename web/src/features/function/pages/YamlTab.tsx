import { CodeView } from "@/components/CodeView";
import { manifestOf } from "@/manifest/manifest";
import { toYaml } from "@/manifest/yaml";

import { useFunctionContext } from "../api/context";

export default function YamlTab() {
    const { value } = useFunctionContext();
    return (
        <div className="flex flex-col gap-2">
            <p className="text-ink-soft">
                What is declared, with all defaults said: a file for <code>eventflow apply -f</code> or{" "}
                <code>kubectl apply -f</code>.
            </p>
            <CodeView text={toYaml(manifestOf(value))} label="YAML" maxHeight="none" />
        </div>
    );
}

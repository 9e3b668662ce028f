import { choices, Columns, FormSelect, Section } from "./bound";
import { EnvFromRows, ListRows, PairRows } from "./Rows";
import { TolerationRows } from "./TolerationRows";

export type Known = { secrets: readonly string[]; configs: readonly string[] };

export function EnvironmentSection({ secrets, configs }: Known) {
    return (
        <Section title="Environment" about="variables of the code">
            <PairRows name="env" legend="Variables" item="Variable" add="Add a variable" />
            <EnvFromRows secrets={secrets} configs={configs} />
        </Section>
    );
}

export function AccessSection() {
    return (
        <Section title="Access and record" about="who may call, what it may reach, what is kept" open={false}>
            <Columns>
                <FormSelect
                    name="url"
                    label="Function URL"
                    hint="In http mode, under /fn/namespace/name."
                    options={choices(
                        "private (default)",
                        ["private", "private: needs a token"],
                        ["public", "public: everyone"],
                    )}
                />
                <FormSelect
                    name="record"
                    label="Record"
                    options={choices(
                        "full (default)",
                        ["full", "full: payload and result are kept"],
                        ["metadata", "metadata: neither is kept"],
                    )}
                />
            </Columns>
            <ListRows
                name="egress"
                legend="Hosts it may reach"
                item="Host"
                hint="As host:port. WebAssembly reaches no others."
                add="Add a host"
                placeholder="api.example.com:443"
            />
        </Section>
    );
}

export function KubernetesSection() {
    return (
        <Section title="Kubernetes" about="how its pods are made; without effect on one machine" open={false}>
            <Columns>
                <FormSelect
                    name="result"
                    label="Result of a Job"
                    options={choices(
                        "inline (default)",
                        ["inline", "inline: up to 4 KiB"],
                        ["file", "file: uploaded"],
                    )}
                />
                <FormSelect
                    name="podSecurity"
                    label="Pod security"
                    options={choices(
                        "the installation's",
                        ["restricted", "restricted"],
                        ["baseline", "baseline"],
                    )}
                />
                <FormSelect
                    name="imagePullPolicy"
                    label="Image pull policy"
                    options={choices(
                        "Kubernetes decides",
                        ["Always", "Always"],
                        ["IfNotPresent", "IfNotPresent"],
                        ["Never", "Never"],
                    )}
                />
            </Columns>
            <ListRows
                name="imagePullSecrets"
                legend="Image pull secrets"
                item="Secret"
                add="Add a pull secret"
                placeholder="registry-credentials"
            />
            <PairRows name="nodeSelector" legend="Node selector" item="Node label" add="Add a node label" />
            <TolerationRows />
            <PairRows name="labels" legend="Labels of the pods" item="Label" add="Add a label" />
            <PairRows
                name="annotations"
                legend="Annotations of the pods"
                item="Annotation"
                add="Add an annotation"
            />
        </Section>
    );
}

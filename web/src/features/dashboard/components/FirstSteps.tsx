import { Boxes, Plus } from "lucide-react";

import { LinkButton } from "@/components/Button";
import { CodeView } from "@/components/CodeView";
import { EmptyState } from "@/components/states";
import { ALL_NAMESPACES, paths } from "@/paths";

/** The smallest function that runs everywhere: WebAssembly as text, with no tool to build it. */
const example = (namespace: string) => `cat > greet.wat <<'WAT'
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "{\\"hello\\": \\"world\\"}")
  (func (export "ef_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "ef_handle") (param i32 i32) (result i64) (i64.const 18)))
WAT
cat > greet.yaml <<'YAML'
apiVersion: eventflow.io/v1alpha1
kind: Function
metadata:
  name: greet
  namespace: ${namespace}
spec:
  image: ./greet.wat
  runtime: wasm
YAML
eventflow apply -f greet.yaml
eventflow invoke greet --namespace ${namespace} --wait 5s
`;

export function FirstSteps({ namespace }: { namespace: string }) {
    const target = namespace === ALL_NAMESPACES ? "default" : namespace;
    return (
        <EmptyState title="No functions yet" icon={<Boxes />}>
            <p>
                A function is code that EventFlow runs when it is called: a container, a WebAssembly module or
                a command of this machine. Make one with the form, or paste this into a terminal:
            </p>
            <div className="w-full text-left">
                <CodeView label="Example" text={example(target)} />
            </div>
            <LinkButton to={paths.functionNew(target)} kind="primary">
                <Plus aria-hidden />
                Create Function
            </LinkButton>
        </EmptyState>
    );
}

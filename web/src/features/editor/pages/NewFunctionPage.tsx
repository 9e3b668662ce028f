import { useQuery } from "@connectrpc/connect-query";
import { useNavigate } from "react-router";

import { Runtime } from "@/api/generated/eventflow/v1/function_pb";
import { SystemService } from "@/api/generated/eventflow/v1/system_service_pb";
import { useAccess } from "@/api/useAccess";
import { Button, LinkButton } from "@/components/Button";
import { Page } from "@/components/Page";
import { Loading } from "@/components/states";
import { toast } from "@/components/toast";
import { useNamespace } from "@/lib/useNamespace";
import type { Manifest } from "@/manifest/manifest";
import { ALL_NAMESPACES, paths } from "@/paths";

import { useEditor } from "../api/useEditor";
import { useSave } from "../api/useSave";
import { useServerKnown } from "../api/useServerKnown";
import { EditorFrame } from "../components/EditorFrame";
import { Refused } from "../components/Refused";

export default function NewFunctionPage() {
    const namespace = useNamespace();
    const info = useQuery(SystemService.method.getServerInfo, {}, { staleTime: Infinity, retry: 1 });
    // An installation without containers starts the form with what it has.
    const containers = info.data?.runtimes.includes(Runtime.CONTAINER) ?? true;
    const initial: Manifest = {
        name: "",
        namespace: namespace === ALL_NAMESPACES ? "default" : namespace,
        spec: { runtime: containers ? "container" : "wasm" },
    };
    return (
        <Page title="Create a function">
            {info.isFetched ? <NewFunction initial={initial} /> : <Loading rows={8} />}
        </Page>
    );
}

function NewFunction({ initial }: { initial: Manifest }) {
    const navigate = useNavigate();
    const editor = useEditor(initial);
    const { send, refusal, busy } = useSave(editor);
    const known = useServerKnown(initial.namespace);
    const { missing } = useAccess();

    const create = async () => {
        const answer = await send(editor.manifest(), { createOnly: true });
        const made = answer?.function;
        if (!made) return;
        toast(`${made.name} is created.`);
        void navigate(paths.function(made.namespace, made.name));
    };

    const off =
        missing("developer", initial.namespace) ??
        (editor.problems.length > 0 ? "Correct the YAML first" : undefined);
    return (
        <EditorFrame
            editor={editor}
            isNew
            known={known}
            onSubmit={() => off === undefined && void create()}
            notes={<Refused refusal={refusal} />}
            actions={
                <>
                    <LinkButton to={paths.functions(initial.namespace)} kind="quiet">
                        Cancel
                    </LinkButton>
                    <Button type="submit" kind="primary" busy={busy} disabledWhy={off}>
                        Create Function
                    </Button>
                </>
            }
        />
    );
}

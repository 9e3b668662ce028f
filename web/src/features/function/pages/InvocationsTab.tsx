import { LinkButton } from "@/components/Button";
import { Panel } from "@/components/Page";
import { paths } from "@/paths";

import { useFunctionContext } from "../api/context";
import { RecentCalls } from "../components/RecentCalls";

const MOST = 100;

export default function InvocationsTab() {
    const { namespace, name } = useFunctionContext().value;
    return (
        <Panel
            title={`The last ${MOST} invocations`}
            flush
            actions={
                <LinkButton kind="quiet" to={paths.invocations(namespace, { function: name })}>
                    Filter, cancel and replay
                </LinkButton>
            }
        >
            <RecentCalls namespace={namespace} name={name} most={MOST} />
        </Panel>
    );
}

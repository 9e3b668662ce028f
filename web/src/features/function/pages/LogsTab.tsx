import { LogViewer } from "@/components/logs/LogViewer";
import { useFunctionLog } from "@/components/logs/useFunctionLog";
import { paths } from "@/paths";

import { useFunctionContext } from "../api/context";

export default function LogsTab() {
    const { namespace, name } = useFunctionContext().value;
    const { store, state } = useFunctionLog({ namespace, name });
    return (
        <LogViewer
            store={store}
            state={state}
            label={`Log of ${name}`}
            file={[namespace, name]}
            empty="It has not printed anything yet. New lines come in here by themselves."
            callPath={(line) => paths.invocation(namespace, line.invocation)}
        />
    );
}

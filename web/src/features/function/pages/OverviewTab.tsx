import { Mode } from "@/api/generated/eventflow/v1/function_pb";
import { LinkButton } from "@/components/Button";
import { Panel } from "@/components/Page";
import { paths } from "@/paths";

import { useFunctionContext } from "../api/context";
import { useDetails } from "../api/useDetails";
import { Conditions } from "../components/Conditions";
import { Copies, Events } from "../components/Copies";
import { Declaration } from "../components/Declaration";
import { Figures } from "../components/Figures";
import { RecentCalls } from "../components/RecentCalls";

export default function OverviewTab() {
    const { value, activity } = useFunctionContext();
    const { namespace, name } = value;
    const details = useDetails(value).value;
    const copies = details?.copies ?? value.copies;
    const desired = value.desiredCopies ?? 0;
    return (
        <div className="flex flex-col gap-4">
            <div className="grid items-start gap-4 lg:grid-cols-2">
                <Conditions value={value} />
                <Figures
                    namespace={namespace}
                    name={name}
                    stats={activity?.stats ?? details?.stats}
                    activity={activity}
                />
            </div>
            {(desired > 0 ||
                copies.length > 0 ||
                (value.mode === Mode.HTTP && value.readyCopies !== undefined)) && (
                <Copies copies={copies} desired={desired} ready={value.readyCopies ?? 0} />
            )}
            <Events events={details?.events ?? value.events} />
            <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
                <Panel
                    title="Last invocations"
                    flush
                    actions={
                        <LinkButton kind="quiet" to={paths.invocations(namespace, { function: name })}>
                            All of them
                        </LinkButton>
                    }
                >
                    <RecentCalls namespace={namespace} name={name} most={8} compact />
                </Panel>
                <Declaration value={value} />
            </div>
        </div>
    );
}

import { useQuery } from "@connectrpc/connect-query";
import { keepPreviousData } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useState } from "react";

import { FunctionService } from "@/api/generated/eventflow/v1/function_service_pb";
import { whyNot } from "@/api/query";
import { SelectField } from "@/components/fields";
import { ErrorState, Loading } from "@/components/states";
import { Time } from "@/components/Time";
import { useThrottled } from "@/lib/useThrottled";

import { useFunctionContext } from "../api/context";
import { Charts } from "../components/Charts";

const WINDOWS = [
    { value: "900", label: "The last 15 minutes" },
    { value: "3600", label: "The last hour" },
    { value: "21600", label: "The last 6 hours" },
    { value: "86400", label: "The last day" },
    { value: "604800", label: "The last 7 days" },
];
/** While calls come in, it is read again, but no oftener than this. */
const REFRESH_MS = 5_000;

export default function MetricsTab() {
    const { value, activity } = useFunctionContext();
    const { namespace, name } = value;
    const [seconds, setSeconds] = useState("3600");
    const metrics = useQuery(
        FunctionService.method.getFunctionMetrics,
        { namespace, name, window: { seconds: BigInt(seconds) } },
        { placeholderData: keepPreviousData },
    );
    const { refetch } = metrics;
    const error = whyNot(metrics);
    const throttled = useThrottled(() => void refetch(), REFRESH_MS);
    const refresh = useEffectEvent(throttled);
    useEffect(() => {
        if (activity) refresh();
    }, [activity]);

    return (
        <div className="flex flex-col gap-4">
            <div className="flex flex-wrap items-end justify-between gap-3">
                <div className="w-56">
                    <SelectField
                        label="Time"
                        value={seconds}
                        options={WINDOWS}
                        onChange={(event) => setSeconds(event.target.value)}
                    />
                </div>
                {metrics.data?.countedFromTime && (
                    <p className="text-ink-faint">
                        There were too many calls to count them all: counted from{" "}
                        <Time value={metrics.data.countedFromTime} /> on.
                    </p>
                )}
            </div>
            {metrics.data ? (
                <Charts points={metrics.data.points} />
            ) : error ? (
                <ErrorState error={error} onRetry={() => void refetch()} />
            ) : (
                <Loading label="Loading metrics" rows={6} />
            )}
        </div>
    );
}

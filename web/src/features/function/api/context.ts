import { useOutletContext } from "react-router";

import type { EventFlowFunction } from "@/api/functions";
import type { FunctionActivity } from "@/api/generated/eventflow/v1/function_pb";

/** What the tabs of a function's page get from it. */
export type FunctionContext = { value: EventFlowFunction; activity: FunctionActivity | undefined };

export const useFunctionContext = () => useOutletContext<FunctionContext>();

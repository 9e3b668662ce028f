import { useFunctionContext } from "../api/context";
import { InvokePanel } from "../components/InvokePanel";

export default function InvokeTab() {
    const { value } = useFunctionContext();
    return <InvokePanel key={value.uid} value={value} />;
}

import { Page } from "@/components/Page";

export default function InvokeTab() {
    return <Page title="Invoke">{null}</Page>;
}

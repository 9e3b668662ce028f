import { Page } from "@/components/Page";

export default function InvocationsTab() {
    return <Page title="Invocations">{null}</Page>;
}

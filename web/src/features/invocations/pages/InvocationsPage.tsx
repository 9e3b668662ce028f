import { Page } from "@/components/Page";

export default function InvocationsPage() {
    return <Page title="Invocations">{null}</Page>;
}

import { Page } from "@/components/Page";

export default function InvocationPage() {
    return <Page title="Invocation">{null}</Page>;
}

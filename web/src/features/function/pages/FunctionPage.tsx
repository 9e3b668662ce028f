import { Page } from "@/components/Page";

export default function FunctionPage() {
    return <Page title="Function">{null}</Page>;
}

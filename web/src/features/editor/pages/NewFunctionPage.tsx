import { Page } from "@/components/Page";

export default function NewFunctionPage() {
    return <Page title="New function">{null}</Page>;
}

import { Page } from "@/components/Page";

export default function EditFunctionPage() {
    return <Page title="Edit function">{null}</Page>;
}

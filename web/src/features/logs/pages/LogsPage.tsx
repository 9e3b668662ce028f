import { Page } from "@/components/Page";

export default function LogsPage() {
    return <Page title="Logs">{null}</Page>;
}

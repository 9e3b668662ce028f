import { Page } from "@/components/Page";

export default function LogsTab() {
    return <Page title="Logs">{null}</Page>;
}

import { Page } from "@/components/Page";

export default function MetricsTab() {
    return <Page title="Metrics">{null}</Page>;
}

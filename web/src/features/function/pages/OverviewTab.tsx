import { Page } from "@/components/Page";

export default function OverviewTab() {
    return <Page title="Overview">{null}</Page>;
}

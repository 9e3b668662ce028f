import { Page } from "@/components/Page";

export default function VersionsTab() {
    return <Page title="Versions">{null}</Page>;
}

import { Page } from "@/components/Page";

export default function YamlTab() {
    return <Page title="Yaml">{null}</Page>;
}

import { Page } from "@/components/Page";

export default function LoginPage() {
    return <Page title="Log in">{null}</Page>;
}

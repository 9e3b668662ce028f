import { LinkButton } from "@/components/Button";
import { Page } from "@/components/Page";
import { EmptyState } from "@/components/states";
import { paths } from "@/paths";

export function NotFoundPage() {
    return (
        <Page title="Not found">
            <EmptyState title="There is no such page">
                <p>The address is wrong, or it belongs to a newer version of EventFlow.</p>
                <LinkButton to={paths.home()} kind="primary">
                    To the functions
                </LinkButton>
            </EmptyState>
        </Page>
    );
}

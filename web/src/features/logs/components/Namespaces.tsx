import { ScrollText } from "lucide-react";

import { useNamespaces } from "@/api/useAccess";
import { LinkButton } from "@/components/Button";
import { EmptyState } from "@/components/states";
import { paths } from "@/paths";

/** Logs are those of one namespace. */
export function Namespaces() {
    const namespaces = useNamespaces();
    return (
        <EmptyState title="Of which namespace?" icon={<ScrollText />}>
            <p>Logs are followed for one namespace at a time.</p>
            <ul className="flex flex-wrap justify-center gap-2">
                {namespaces.map((namespace) => (
                    <li key={namespace}>
                        <LinkButton to={paths.logs(namespace)}>{namespace}</LinkButton>
                    </li>
                ))}
            </ul>
        </EmptyState>
    );
}

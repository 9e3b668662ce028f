import { useLocation, useNavigate } from "react-router";

import { useAccess, useNamespaces } from "@/api/useAccess";
import { SelectField } from "@/components/fields";
import { ALL_NAMESPACES, paths } from "@/paths";

/** The same kind of page in another namespace; single things do not exist there. */
function sectionIn(pathname: string, namespace: string): string {
    switch (pathname.split("/")[3]) {
        case "invocations":
            return paths.invocations(namespace);
        case "dead-letters":
            return paths.deadLetters(namespace);
        case "logs":
            return paths.logs(namespace);
        default:
            return paths.functions(namespace);
    }
}

export function NamespacePicker({ namespace }: { namespace: string }) {
    const known = useNamespaces();
    const { everywhere } = useAccess();
    const navigate = useNavigate();
    const { pathname } = useLocation();
    const options = [...new Set([...known, ...(namespace === ALL_NAMESPACES ? [] : [namespace])])].sort();
    return (
        <div className="flex items-center gap-2">
            <span aria-hidden className="hidden text-[0.87rem] text-ink-faint sm:inline">
                Namespace
            </span>
            <SelectField
                label="Namespace"
                labelHidden
                value={namespace}
                className="!w-auto max-w-52"
                onChange={(event) => void navigate(sectionIn(pathname, event.target.value))}
                options={[
                    ...(everywhere || namespace === ALL_NAMESPACES
                        ? [{ value: ALL_NAMESPACES, label: "All namespaces" }]
                        : []),
                    ...options.map((value) => ({ value, label: value })),
                ]}
            />
        </div>
    );
}

/** Where a trace is to be seen; undefined where the server has no template, or one that is no web address. */
export function traceLink(template: string, traceId: string): string | undefined {
    if (template === "") return undefined;
    const link = template.replaceAll("{trace_id}", encodeURIComponent(traceId));
    try {
        const { protocol } = new URL(link);
        return protocol === "https:" || protocol === "http:" ? link : undefined;
    } catch {
        return undefined;
    }
}

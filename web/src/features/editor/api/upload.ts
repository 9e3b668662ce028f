import { rest } from "@/api/client";
import { restError } from "@/api/errors";

/** Stores an artifact and answers its digest, `sha256:…`. Over REST, because grpc-web has no streams from the client. */
export async function uploadArtifact(namespace: string, file: Blob): Promise<string> {
    const response = await rest(`/v1/namespaces/${encodeURIComponent(namespace)}/artifacts`, {
        method: "POST",
        body: file,
        headers: { "Content-Type": "application/wasm" },
    });
    if (!response.ok) throw await restError(response);
    const answer: unknown = await response.json();
    if (
        typeof answer === "object" &&
        answer !== null &&
        "digest" in answer &&
        typeof answer.digest === "string"
    ) {
        return answer.digest;
    }
    throw new Error("the server's answer names no digest");
}

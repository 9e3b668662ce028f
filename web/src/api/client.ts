import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Client, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { session } from "@/auth/session";

/** How long a call may take that is not a stream; InvokeFunction and GetInvocation with `wait` set their own. */
const DEADLINE_MS = 30_000;

const authenticate: Interceptor = (next) => async (request) => {
    const token = session.get()?.token;
    if (token) request.header.set("Authorization", `Bearer ${token}`);
    try {
        return await next(request);
    } catch (error) {
        if (token && ConnectError.from(error).code === Code.Unauthenticated) session.expire(token);
        throw error;
    }
};

/** The one way to the server: grpc-web to the address that the page came from. */
export const transport = createGrpcWebTransport({
    baseUrl: window.location.origin,
    interceptors: [authenticate],
    defaultTimeoutMs: DEADLINE_MS,
    fetch: (input, init) => fetch(input, { ...init, redirect: "error" }),
});

/** A client for streams, and for calls outside React. Streams take `timeoutMs: 0`, which means: as long as it takes. */
export function clientOf<T extends DescService>(service: T): Client<T> {
    return createClient(service, transport);
}

/** A REST call, for what grpc-web cannot do (uploads) and for raw bodies. Throws a ConnectError-like problem. */
export async function rest(path: string, init: RequestInit): Promise<Response> {
    const token = session.get()?.token;
    const headers = new Headers(init.headers);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    const response = await fetch(path, { ...init, headers, redirect: "error" });
    if (response.status === 401 && token) session.expire(token);
    return response;
}

import "./app.css";

import { TransportProvider } from "@connectrpc/connect-query";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router/dom";

import { transport } from "@/api/client";
import { queryClient } from "@/api/query";
import { router } from "@/app/router";
import { Toasts } from "@/components/Toasts";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");

createRoot(root).render(
    <StrictMode>
        <TransportProvider transport={transport}>
            <QueryClientProvider client={queryClient}>
                <RouterProvider router={router} />
                <Toasts />
            </QueryClientProvider>
        </TransportProvider>
    </StrictMode>,
);

import { useForm } from "react-hook-form";

import { Button } from "@/components/Button";
import { TextField } from "@/components/fields";

export type Credentials = { username: string; password: string };

export function PasswordForm({ busy, onSubmit }: { busy: boolean; onSubmit: (it: Credentials) => void }) {
    const { register, handleSubmit, formState } = useForm<Credentials>({
        defaultValues: { username: "", password: "" },
    });
    const { errors } = formState;
    return (
        <form
            noValidate
            className="flex flex-col gap-4"
            onSubmit={(event) => void handleSubmit(onSubmit)(event)}
            aria-label="Log in"
        >
            <TextField
                label="Username"
                autoComplete="username"
                autoCapitalize="none"
                spellCheck={false}
                error={errors.username?.message}
                {...register("username", { required: "Give your username." })}
            />
            <TextField
                label="Password"
                type="password"
                autoComplete="current-password"
                error={errors.password?.message}
                {...register("password", { required: "Give your password." })}
            />
            <Button type="submit" kind="primary" busy={busy}>
                Log in
            </Button>
        </form>
    );
}

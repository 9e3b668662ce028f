import { useState } from "react";
import { useNavigate } from "react-router";

import { problemOf } from "@/api/errors";
import type { EventFlowFunction } from "@/api/functions";
import { useAccess } from "@/api/useAccess";
import { useFunction } from "@/api/useFunctions";
import { Button, LinkButton } from "@/components/Button";
import { ManagedNote } from "@/components/ManagedNote";
import { DisconnectedNote } from "@/components/states";
import { toast } from "@/components/toast";
import { manifestOf } from "@/manifest/manifest";
import { toYaml } from "@/manifest/yaml";
import { paths } from "@/paths";

import { useEditor } from "../api/useEditor";
import { useSave } from "../api/useSave";
import { useServerKnown } from "../api/useServerKnown";
import { ChangedNote } from "./ChangedNote";
import { EditorFrame } from "./EditorFrame";
import { Refused } from "./Refused";
import { ReviewDialog } from "./ReviewDialog";

/** What is to be saved, as the server would declare it. */
type Review = { after: string; changed: boolean; newVersion: boolean };

export function EditFunction({ loaded }: { loaded: EventFlowFunction }) {
    const { namespace, name } = loaded;
    const navigate = useNavigate();
    const { missing } = useAccess();
    const known = useServerKnown(namespace);
    /** The declaration that the edit began with, or that was taken as its base since. */
    const [base, setBase] = useState(loaded);
    const editor = useEditor(manifestOf(loaded), { name, namespace });
    const { send, refusal, busy } = useSave(editor);
    const [review, setReview] = useState<Review | null>(null);
    const { value: live, synced, stream } = useFunction(namespace, name);
    const gone = synced && live?.uid !== base.uid;
    const other = live && live.uid === base.uid && live.etag !== base.etag ? live : undefined;

    const check = async () => {
        const answer = await send(editor.manifest(), { dryRun: true });
        if (!answer?.function) return;
        setReview({
            after: toYaml(manifestOf(answer.function)),
            changed: answer.changed,
            newVersion: answer.function.version !== base.version,
        });
    };
    const save = async () => {
        const answer = await send(editor.manifest(), { etag: base.etag });
        setReview(null);
        if (!answer) return;
        toast(answer.changed ? `${name} is saved.` : `${name} was like this already.`);
        void navigate(paths.function(namespace, name));
    };

    const off =
        missing("developer", namespace) ??
        (gone ? "The function was deleted" : undefined) ??
        (editor.problems.length > 0 ? "Correct the YAML first" : undefined) ??
        (other ? "The function changed meanwhile: decide above what to do" : undefined);
    const conflict = refusal && problemOf(refusal.error).reason === "PreconditionFailed";
    return (
        <>
            <EditorFrame
                editor={editor}
                isNew={false}
                known={known}
                onSubmit={() => off === undefined && void check()}
                notes={
                    <>
                        <DisconnectedNote state={stream} />
                        <ManagedNote value={live ?? base} />
                        {!conflict && <Refused refusal={refusal} />}
                        {gone && (
                            <p role="alert" className="rounded-md border border-bad/40 bg-bad/10 px-3 py-2">
                                The function was deleted while you edited it. Copy the YAML to make it anew.
                            </p>
                        )}
                        {other && !gone && (
                            <ChangedNote
                                before={base}
                                after={other}
                                onTake={() => {
                                    setBase(other);
                                    editor.load(manifestOf(other));
                                }}
                                onKeep={() => setBase(other)}
                            />
                        )}
                    </>
                }
                actions={
                    <>
                        <LinkButton to={paths.function(namespace, name)} kind="quiet">
                            Cancel
                        </LinkButton>
                        <Button type="submit" kind="primary" busy={busy && !review} disabledWhy={off}>
                            Review and save
                        </Button>
                    </>
                }
            />
            {review && (
                <ReviewDialog
                    before={toYaml(manifestOf(base))}
                    after={review.after}
                    changed={review.changed}
                    newVersion={review.newVersion}
                    busy={busy}
                    onSave={() => void save()}
                    onClose={() => setReview(null)}
                />
            )}
        </>
    );
}

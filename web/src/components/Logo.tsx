export function Logo({ className = "size-7" }: { className?: string }) {
    return (
        <svg viewBox="0 0 32 32" aria-hidden className={className}>
            <path
                d="M7 10h9a4 4 0 0 1 4 4v4a4 4 0 0 0 4 4h1"
                fill="none"
                strokeWidth="3"
                strokeLinecap="round"
                className="stroke-accent"
            />
            <circle cx="8" cy="22" r="2.8" className="fill-accent" />
            <circle cx="24" cy="10" r="2.8" className="fill-wait" />
        </svg>
    );
}

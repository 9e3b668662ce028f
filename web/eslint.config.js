import js from "@eslint/js";
import jsxA11y from "eslint-plugin-jsx-a11y";
import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const outsidePages = {
    selector: "ExportDefaultDeclaration",
    message: "Default exports are for route modules (features/*/pages) only.",
};
const always = [
    { selector: "ExportAllDeclaration", message: "No barrel files: import from the module itself." },
    {
        selector: "JSXAttribute[name.name=/^(to|href)$/] Literal[value=/^\\//]",
        message: "URLs of pages come from paths.ts only.",
    },
    {
        selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']",
        message: "What users wrote is only ever text.",
    },
];

export default tseslint.config(
    { ignores: ["dist", "src/api/generated", "node_modules"] },
    js.configs.recommended,
    tseslint.configs.recommendedTypeChecked,
    jsxA11y.flatConfigs.recommended,
    {
        languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
        plugins: { "react-hooks": reactHooks },
        rules: {
            "react-hooks/rules-of-hooks": "error",
            "react-hooks/exhaustive-deps": "error",
            "@typescript-eslint/no-explicit-any": "error",
            "@typescript-eslint/consistent-type-imports": "error",
            "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
            "@typescript-eslint/switch-exhaustiveness-check": "off",
            "max-lines": ["error", { max: 200, skipBlankLines: true, skipComments: true }],
            "no-restricted-syntax": ["error", outsidePages, ...always],
            "no-console": "error",
        },
    },
    {
        files: ["src/features/*/pages/**", "*.{ts,js}", "build/**", "e2e/**"],
        rules: { "no-restricted-syntax": ["error", ...always] },
    },
    {
        files: ["src/features/**"],
        rules: {
            "no-restricted-imports": [
                "error",
                {
                    patterns: [
                        {
                            group: ["@/features/*", "../../../*"],
                            message: "Features do not import each other.",
                        },
                    ],
                },
            ],
        },
    },
    {
        files: ["src/components/**", "src/lib/**", "src/api/**", "src/auth/**"],
        rules: {
            "no-restricted-imports": [
                "error",
                {
                    patterns: [
                        { group: ["@/features/*", "@/app/*"], message: "What is shared knows no feature." },
                    ],
                },
            ],
        },
    },
    { files: ["**/*.js"], extends: [tseslint.configs.disableTypeChecked] },
    {
        files: ["public/**"],
        languageOptions: { globals: { document: "readonly", localStorage: "readonly" } },
    },
);

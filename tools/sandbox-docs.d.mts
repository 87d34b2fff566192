/** Where the page is. */
export declare const TARGET: string;
/** The page, from the sandbox's own tables. */
export declare function render(tables: Readonly<Record<string, unknown>>): string;

/** What our components use of Lit, for the checker of types; nothing of it runs. */
export class CSSResult { readonly cssText: string; }
export function css(strings: TemplateStringsArray, ...values: (CSSResult | number)[]): CSSResult;
export interface TemplateResult { readonly strings: TemplateStringsArray; readonly values: unknown[]; }
export function html(strings: TemplateStringsArray, ...values: unknown[]): TemplateResult;
export function svg(strings: TemplateStringsArray, ...values: unknown[]): TemplateResult;
export const nothing: unique symbol;
export function render(value: unknown, container: HTMLElement | DocumentFragment): unknown;

export interface PropertyDeclaration {
  type?: unknown;
  attribute?: boolean | string;
  state?: boolean;
  reflect?: boolean;
}

export class LitElement extends HTMLElement {
  static properties: Record<string, PropertyDeclaration>;
  static styles: CSSResult | CSSResult[];
  static shadowRootOptions: ShadowRootInit;
  readonly renderRoot: ShadowRoot;
  readonly updateComplete: Promise<boolean>;
  readonly hasUpdated: boolean;
  readonly isUpdatePending: boolean;
  requestUpdate(name?: PropertyKey, old?: unknown): void;
  connectedCallback(): void;
  disconnectedCallback(): void;
  attributeChangedCallback(name: string, old: string | null, value: string | null): void;
  render(): unknown;
  willUpdate(changed: Map<string, unknown>): void;
  updated(changed: Map<string, unknown>): void;
  firstUpdated(changed: Map<string, unknown>): void;
}

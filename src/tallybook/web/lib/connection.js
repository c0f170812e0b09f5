/**
 * Whether the server was reached when it was last asked: one fact for the whole page.
 */
export class Connection extends EventTarget {
  #isOn = true;

  get isOn() {
    return this.#isOn;
  }

  /** @param {boolean} isOn what the last request found; listeners hear of a change alone */
  tell(isOn) {
    if (isOn === this.#isOn) return;
    this.#isOn = isOn;
    this.dispatchEvent(new Event('change'));
  }
}

export const connection = new Connection();

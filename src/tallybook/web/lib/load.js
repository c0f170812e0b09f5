/**
 * Loading for a component: one request at a time, an older answer never shown after a newer question.
 */
export class Load {
  /** @param {{requestUpdate: () => void}} host @param {(signal: AbortSignal) => Promise<any>} work */
  constructor(host, work) {
    this.host = host;
    this.work = work;
    this.value = null;
    /** @type {Error | null} */
    this.error = null;
    this.isLoading = true;
    /** @type {AbortController | null} */
    this.running = null;
  }

  /** Ask anew; what was shown stays until the answer is there. */
  async again() {
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.isLoading = true;
    this.host.requestUpdate();
    try {
      const value = await this.work(running.signal);
      if (this.running !== running) return;
      this.value = value;
      this.error = null;
    } catch (error) {
      if (this.running !== running) return;
      this.error = /** @type {Error} */ (error);
    }
    this.isLoading = false;
    this.host.requestUpdate();
  }

  /** The question has changed and will be asked soon: what is shown is of before. */
  wait() {
    this.stop();
    this.isLoading = true;
    this.host.requestUpdate();
  }

  stop() {
    this.running?.abort();
    this.running = null;
  }
}

/** The charting library, for the checker of types: what is drawn by it is looked at in a browser. */
declare const Plot: any;
export = Plot;

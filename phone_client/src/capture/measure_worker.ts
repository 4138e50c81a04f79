/** The worker that measures pictures, beside the one that must not be held up. */
import { type Luma, type Measurement, measure } from "./measure";

const scope = self as unknown as {
  postMessage: (measurement: Measurement) => void;
  onmessage: ((event: MessageEvent<Luma>) => void) | null;
};

scope.onmessage = ({ data }) => scope.postMessage(measure(data));

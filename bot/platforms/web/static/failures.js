// What the reader is told about a request that failed.

import { HttpError } from "./api.js";
import { t } from "./texts.js";

/** The server's own sentence, or one for a server that cannot be reached. */
export const sentenceOf = (error) => (error instanceof HttpError ? error.message : t("page_request_failed"));

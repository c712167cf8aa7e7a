// Whether a file can be a picture or a document of a question, found out before it is sent. It refuses only
// what the server would refuse (bot/images), in the same sentences; the server checks the rest.

import { t } from "../texts.js";

const HEAD_BYTES = 512 * 1024; // a JPEG's size stands behind its metadata
const MAX_NAME_LENGTH = 60;
const HEIF_BRANDS = ["heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1"];
const BMP_HEADER_SIZES = [12, 40, 52, 56, 64, 108, 124];
const KINDS = [
  [/^audio\//, "what_audio"],
  [/^video\//, "what_video"],
  [/zip|7z|x-tar|gzip|x-rar/, "what_archive"],
  [/msword|rtf|application\/vnd\.(ms-|oasis|openxml)/, "what_document"],
];
const SENTENCES = {
  what_archive: "picture_is_other",
  what_audio: "picture_is_other",
  what_document: "picture_is_office",
  what_video: "picture_is_video",
};

/** Look at a file's beginning.
 *
 * Returns `{problem, width, height}`: the sentence that says why it cannot be used, or null; its
 * size in pixels as its header has it, where that is easily read.
 */
export async function examine(file, limits) {
  const name = shortName(file.name);
  const refused = (key, values) => ({ problem: t(key, { name, ...values }) });
  if (!file.size) return refused("picture_empty");
  if (file.size > limits.file_mb * 1e6) {
    return refused("picture_too_large", { size_bytes: file.size, limit_bytes: Math.round(limits.file_mb * 1e6) });
  }
  let head;
  try {
    head = new DataView(await file.slice(0, HEAD_BYTES).arrayBuffer());
  } catch {
    return refused("page_unreadable"); // moved or deleted since it was chosen, or a folder
  }
  const format = formatOf(head);
  if (!format) {
    const suffix = file.name.toLowerCase().match(/\.[^.]+$/)?.[0];
    if (isPdf(head) || limits.text_types.includes(suffix)) return { problem: null };
    const what = otherKind(head, file.type);
    if (what) return refused(SENTENCES[what] ?? "picture_is_document", { what: t(what) });
    // Its bytes may be text in some encoding: the server finds out.
    return limits.types.includes(suffix) ? refused("picture_unknown") : { problem: null };
  }
  const { width, height, progressive } = sizeOf(format, head) ?? {};
  if (!width || !height) return { problem: null };
  const limit_mp = format === "JPEG" && !progressive ? limits.jpeg_megapixels : limits.megapixels;
  if (width * height > limit_mp * 1e6) return refused("picture_too_many_pixels", { width, height, limit_mp });
  if (Math.max(width, height) > limits.aspect * Math.min(width, height)) return refused("picture_too_narrow", { width, height });
  return { problem: null, width, height };
}

function shortName(name) {
  const shown = name.replace(/[\p{C}\p{Z}]/gu, " ").trim() || "picture";
  const letters = [...shown];
  if (letters.length <= MAX_NAME_LENGTH) return shown;
  return `${letters.slice(0, MAX_NAME_LENGTH - 12).join("")}…${letters.slice(-11).join("")}`;
}

const ascii = (head, at, length) =>
  String.fromCharCode(...new Uint8Array(head.buffer, Math.min(at, head.byteLength), Math.max(0, Math.min(length, head.byteLength - at))));

function formatOf(head) {
  const start = ascii(head, 0, 4);
  if (start.startsWith("\xff\xd8")) return "JPEG";
  if (start === "\x89PNG") return "PNG";
  if (start === "GIF8") return "GIF";
  if (["II*\0", "MM\0*", "MM*\0", "II\0*", "II+\0", "MM\0+"].includes(start)) return "TIFF";
  if (start === "RIFF" && ascii(head, 8, 4) === "WEBP") return "WEBP";
  if (ascii(head, 4, 4) === "ftyp") return formatByBrands(head);
  if (start === "\x1aE\xdf\xa3" || ["moov", "mdat", "wide"].includes(ascii(head, 4, 4))) return "VIDEO";
  if (head.byteLength >= 18 && start.startsWith("BM")) return BMP_HEADER_SIZES.includes(head.getUint32(14, true)) ? "BMP" : null;
  if (head.byteLength >= 16 && BMP_HEADER_SIZES.includes(head.getUint32(0, true))) {
    return head.getUint16(head.getUint8(0) === 12 ? 8 : 12, true) === 1 ? "DIB" : null;
  }
  return null;
}

function formatByBrands(head) {
  const brands = [ascii(head, 8, 4)];
  for (let at = 16; at < Math.min(head.getUint32(0), 256); at += 4) brands.push(ascii(head, at, 4));
  if (brands.includes("avif") || brands.includes("avis")) return "AVIF";
  return HEIF_BRANDS.includes(brands[0]) ? "HEIF" : "VIDEO";
}

/** Some have something before their beginning. */
const isPdf = (head) => ascii(head, 0, 1024).includes("%PDF-");

function otherKind(head, type) {
  const start = ascii(head, 0, 4096).trimStart().toLowerCase();
  if (start.includes("<svg")) return "what_svg";
  if (start.startsWith("<!doctype html") || start.startsWith("<html")) return "what_html";
  if (ascii(head, 0, 4) === "RIFF" && ascii(head, 8, 4) === "AVI ") return "what_video";
  return KINDS.find(([begin]) => begin.test(type))?.[1];
}

/** `{width, height, progressive}` as the header has it; null where it is not easily read. */
function sizeOf(format, head) {
  try {
    if (format === "PNG" && ascii(head, 12, 4) === "IHDR") return { width: head.getUint32(16), height: head.getUint32(20) };
    if (format === "GIF") return { width: head.getUint16(6, true), height: head.getUint16(8, true) };
    if (format === "WEBP") return webpSize(head);
    if (format === "JPEG") return jpegSize(head);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the file ends before its header does
  }
  return null;
}

function webpSize(head) {
  const chunk = ascii(head, 12, 4);
  const uint24 = (at) => head.getUint16(at, true) + (head.getUint8(at + 2) << 16);
  if (chunk === "VP8X") return { width: uint24(24) + 1, height: uint24(27) + 1 };
  if (chunk === "VP8 ") return { width: head.getUint16(26, true) & 0x3fff, height: head.getUint16(28, true) & 0x3fff };
  if (chunk !== "VP8L") return null;
  const bits = head.getUint32(21, true);
  return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
}

function jpegSize(head) {
  for (let at = 2; ; ) {
    if (head.getUint8(at) !== 0xff) return null;
    const marker = head.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) {
      return { height: head.getUint16(at + 5), width: head.getUint16(at + 7), progressive: [0xc2, 0xc6, 0xca, 0xce].includes(marker) };
    }
    if (marker === 0xd9 || marker === 0xda) return null;
    // Fill bytes, and markers that stand alone, have no length.
    if (marker === 0xff) at += 1;
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2;
    else at += 2 + head.getUint16(at + 2);
  }
}

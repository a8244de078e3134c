// pure
/**
 * Patterns for what must not leave the Pod. They find the usual forms, not all: a secret without a form of its own, such as a
 * password in the middle of a sentence, needs a pattern of yours or, better, an application that does not log it.
 */
export type Preset = {
  readonly pattern: RegExp;
  /** Told the match; false leaves it. */
  readonly confirm?: (match: string) => boolean;
  /** The groups that stay, before the replacement. */
  readonly keeps?: string;
  /** How many digits every match has at least, with nothing but spaces and dashes between them. */
  readonly digitsMin?: number;
};

export const presetNames = ["email", "credit-card", "bearer-token", "jwt", "url-password", "ipv4", "private-key", "aws-access-key"] as const;
export type PresetName = (typeof presetNames)[number];

export const presets: Readonly<Record<PresetName, Preset>> = {
  email: { pattern: /[\w.%+-]{1,64}@[A-Za-z\d-]{1,63}(?:\.[A-Za-z\d-]{1,63})+/g },
  /** 13 to 19 digits, perhaps in groups, with a right check digit. */
  "credit-card": { pattern: /(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])/g, confirm: hasCheckDigit, digitsMin: 13 },
  "bearer-token": { pattern: /\b([Bb]earer|[Bb]asic|[Tt]oken|BEARER|BASIC|TOKEN)( +)[\w.~+/-]{8,}=*/g, keeps: "$1$2" },
  jwt: { pattern: /\beyJ[\w-]{5,}\.eyJ[\w-]{5,}\.[\w-]*/g },
  "url-password": { pattern: /(:\/\/[^\s/:@]{0,256}:)[^\s/@]{1,256}(?=@)/g, keeps: "$1" },
  ipv4: { pattern: /(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])/g },
  "private-key": { pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g },
  "aws-access-key": { pattern: /\b(?:AKIA|ASIA)[A-Z\d]{16}\b/g },
};

/** Luhn's sum, as on payment cards. */
function hasCheckDigit(match: string): boolean {
  const digits = match.replaceAll(/\D/g, "");
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 0x30;
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/**
 * The engine of the format adapter: records of CSV, JSON and XML to cells, and cells to records, without a string in between. It is
 * written in AssemblyScript (https://www.assemblyscript.org) and compiled by setup/compile-assembly.ts. The rules of the formats are those of
 * the TypeScript readers and writers in ../../formats, which also find the words when a record breaks them; tests hold both to the
 * same results.
 */
export { next, records, scratch, setScratch } from "./cells";
export { scanCsv } from "./csv";
export { addSlot, arrayPlace, hasUncompared, keyLength, keyParent, keyStart, openArray, openNested, openSlots, scanArray, scanLines } from "./json";
export { firstUnsure, unsureCheck } from "./check";
export { emit, openCsvOutput, openOutput, rowsDone, written, wrongField } from "./emit";
export { addMapped, addNumbers, appendPieces, appendText, appendTexts, beginTexts, checkTimes, chooseNumbers, combineFlags, compareNumbers, equalTexts, fillNumbers, loadFlags, loadNumbers, mapTexts, markFalse, multiplyNumbers, nextMarked, nextUnmarked, roundNumbers, splitTexts, subtractNumbers, writeFlags, writeNumbers } from "./kernel";
export { nodeName, nodeNameLength, nodeParent, openElements, openName, openNameLength, openXml, pendingCount, pendingNode, scanXml, setNodeColumn, xmlAreaBytes, xmlPlace } from "./xml";
export { countLineEnds, openLines } from "./lines";

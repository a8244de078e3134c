// pure
// The program of the pause image, as machine code: the first process of a Pod's sandbox. It is the same for every way an
// image can be had (no package, no registry, no compiler), which is why the bytes stand here.
//
// What it does, in C:
//
//   sigset_t set = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD };
//   rt_sigprocmask(SIG_BLOCK, &set);        // blocked signals stay pending even for process 1, ignored ones would be lost
//   for (;;) {
//     int sig = rt_sigtimedwait(&set, NULL, NULL);
//     if (sig == SIGCHLD) while (wait4(-1, NULL, WNOHANG, NULL) > 0);   // orphans of a Pod that shares its process namespace
//     else if (sig >= 0) exit_group(0);
//   }
//
// It takes no arguments, opens nothing, allocates nothing and needs no privilege. The listings were assembled with GNU as.

export type Architecture = "amd64" | "arm64";

/** SIGHUP 1, SIGINT 2, SIGQUIT 3, SIGTERM 15, SIGCHLD 17: signal n is bit n-1. */
const signalSet = [0x07, 0x40, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00];

const code: Readonly<Record<Architecture, readonly number[]>> = {
  amd64: [
    0xb8, 0x0e, 0x00, 0x00, 0x00, //             mov eax, 14          rt_sigprocmask
    0x31, 0xff, //                               xor edi, edi         SIG_BLOCK
    0x48, 0x8d, 0x35, 0x52, 0x00, 0x00, 0x00, // lea rsi, [rip + set]
    0x31, 0xd2, //                               xor edx, edx
    0x41, 0xba, 0x08, 0x00, 0x00, 0x00, //       mov r10d, 8          size of the set
    0x0f, 0x05, //                               syscall
    0xb8, 0x80, 0x00, 0x00, 0x00, //       wait: mov eax, 128         rt_sigtimedwait
    0x48, 0x8d, 0x3d, 0x3c, 0x00, 0x00, 0x00, // lea rdi, [rip + set]
    0x31, 0xf6, //                               xor esi, esi
    0x31, 0xd2, //                               xor edx, edx         no timeout
    0x41, 0xba, 0x08, 0x00, 0x00, 0x00, //       mov r10d, 8
    0x0f, 0x05, //                               syscall
    0x83, 0xf8, 0x11, //                         cmp eax, 17          SIGCHLD
    0x74, 0x0d, //                               je reap
    0x85, 0xc0, //                               test eax, eax
    0x78, 0xdf, //                               js wait              interrupted
    0xb8, 0xe7, 0x00, 0x00, 0x00, //             mov eax, 231         exit_group
    0x31, 0xff, //                               xor edi, edi
    0x0f, 0x05, //                               syscall
    0xb8, 0x3d, 0x00, 0x00, 0x00, //       reap: mov eax, 61          wait4
    0x48, 0x83, 0xcf, 0xff, //                   or rdi, -1           any child
    0x31, 0xf6, //                               xor esi, esi
    0xba, 0x01, 0x00, 0x00, 0x00, //             mov edx, 1           WNOHANG
    0x45, 0x31, 0xd2, //                         xor r10d, r10d
    0x0f, 0x05, //                               syscall
    0x85, 0xc0, //                               test eax, eax
    0x7f, 0xe7, //                               jg reap
    0xeb, 0xbb, //                               jmp wait
    0x0f, 0x1f, 0x00, //                         nop                  aligns the set
  ],
  arm64: [
    0xe8, 0x10, 0x80, 0xd2, //       mov x8, 135          rt_sigprocmask
    0x00, 0x00, 0x80, 0xd2, //       mov x0, 0            SIG_BLOCK
    0x41, 0x03, 0x00, 0x10, //       adr x1, set
    0x02, 0x00, 0x80, 0xd2, //       mov x2, 0
    0x03, 0x01, 0x80, 0xd2, //       mov x3, 8            size of the set
    0x01, 0x00, 0x00, 0xd4, //       svc 0
    0x28, 0x11, 0x80, 0xd2, // wait: mov x8, 137          rt_sigtimedwait
    0xa0, 0x02, 0x00, 0x10, //       adr x0, set
    0x01, 0x00, 0x80, 0xd2, //       mov x1, 0
    0x02, 0x00, 0x80, 0xd2, //       mov x2, 0            no timeout
    0x03, 0x01, 0x80, 0xd2, //       mov x3, 8
    0x01, 0x00, 0x00, 0xd4, //       svc 0
    0x1f, 0x44, 0x00, 0x71, //       cmp w0, 17           SIGCHLD
    0xa0, 0x00, 0x00, 0x54, //       b.eq reap
    0x00, 0xff, 0xff, 0x37, //       tbnz w0, 31, wait    interrupted
    0xc8, 0x0b, 0x80, 0xd2, //       mov x8, 94           exit_group
    0x00, 0x00, 0x80, 0xd2, //       mov x0, 0
    0x01, 0x00, 0x00, 0xd4, //       svc 0
    0x88, 0x20, 0x80, 0xd2, // reap: mov x8, 260          wait4
    0x00, 0x00, 0x80, 0x92, //       mov x0, -1           any child
    0x01, 0x00, 0x80, 0xd2, //       mov x1, 0
    0x22, 0x00, 0x80, 0xd2, //       mov x2, 1            WNOHANG
    0x03, 0x00, 0x80, 0xd2, //       mov x3, 0
    0x01, 0x00, 0x00, 0xd4, //       svc 0
    0x1f, 0x00, 0x00, 0x71, //       cmp w0, 0
    0x2c, 0xff, 0xff, 0x54, //       b.gt reap
    0xec, 0xff, 0xff, 0x17, //       b wait
    0x1f, 0x20, 0x03, 0xd5, //       nop                  aligns the set
  ],
};

const machine: Readonly<Record<Architecture, number>> = { amd64: 62, arm64: 183 };

/** The whole ELF executable: header, one read-only executable segment, code, signal set. Static, about 220 bytes. */
export function pauseProgram(architecture: Architecture): Uint8Array {
  const headerBytes = 64;
  const segmentBytes = 56;
  const loadAddress = 0x400000;
  const body = Buffer.from([...code[architecture], ...signalSet]);
  const start = headerBytes + segmentBytes;
  const file = Buffer.alloc(start + body.length);

  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]); // magic, 64 bit, little endian, version 1, System V
  file.writeUInt16LE(2, 16); // executable
  file.writeUInt16LE(machine[architecture], 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(loadAddress + start), 24); // entry
  file.writeBigUInt64LE(BigInt(headerBytes), 32); // where the segment table starts
  file.writeUInt16LE(headerBytes, 52);
  file.writeUInt16LE(segmentBytes, 54);
  file.writeUInt16LE(1, 56); // one segment

  file.writeUInt32LE(1, headerBytes); // PT_LOAD
  file.writeUInt32LE(5, headerBytes + 4); // readable, executable
  file.writeBigUInt64LE(BigInt(loadAddress), headerBytes + 16);
  file.writeBigUInt64LE(BigInt(loadAddress), headerBytes + 24);
  file.writeBigUInt64LE(BigInt(file.length), headerBytes + 32);
  file.writeBigUInt64LE(BigInt(file.length), headerBytes + 40);
  file.writeBigUInt64LE(0x10000n, headerBytes + 48); // aligned for the largest page size of arm64
  file.set(body, start);
  return file;
}

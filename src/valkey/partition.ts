/** Computes CRC16/XMODEM: polynomial 0x1021, start 0. Valkey Cluster maps keys to slots with it. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    crc &= 0xffff;
  }
  return crc;
}

/**
 * Returns the partition of an entity: CRC16/XMODEM of its ID, modulo the number of partitions.
 *
 * @example
 * partitionOf("123456789", 16384); // 12739 (0x31C3), the check value of CRC16/XMODEM
 */
export function partitionOf(id: string, partitions: number): number {
  return partitions === 1 ? 0 : crc16(Buffer.from(id)) % partitions;
}

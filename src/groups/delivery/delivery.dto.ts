import { z } from 'zod'

/** `all`: sent as it comes; `muted`: kept for reading, not sent; `blocked`: neither, and nothing for the inbox. */
export const Delivery = z.enum(['all', 'muted', 'blocked'])
export type Delivery = z.infer<typeof Delivery>

/** What a group shows: `invited` waits for its user's word, and nothing but the Welcome is delivered. */
export const ShownDelivery = z.enum([...Delivery.options, 'invited'])
export type ShownDelivery = z.infer<typeof ShownDelivery>

export const ChooseDelivery = z
  .strictObject({
    delivery: Delivery.meta({
      description: 'all: sent as it comes; muted: not sent, but in the log as long as that is kept; blocked: neither sent nor readable',
    }),
  })
  .meta({ id: 'ChooseDelivery' })
export type ChooseDelivery = z.infer<typeof ChooseDelivery>

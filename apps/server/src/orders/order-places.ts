import { Injectable } from '@nestjs/common';

/** Where an order belongs, by its id: learned when it is sent, or when an agent says that it holds it. */
@Injectable()
export class OrderPlaces {
  private readonly places = new Map<string, { runId: string; step: string }>();

  remember(orderId: string, place: { runId: string; step: string }): void {
    this.places.set(orderId, place);
  }
  of(orderId: string): { runId: string; step: string } | null {
    return this.places.get(orderId) ?? null;
  }
  forgetRun(runId: string): void {
    for (const [orderId, place] of this.places) if (place.runId === runId) this.places.delete(orderId);
  }
}
